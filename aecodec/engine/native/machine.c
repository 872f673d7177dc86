#include "machine.h"

#include "network.h"

#ifdef AECODEC_X86

#ifdef _MSC_VER
#include <immintrin.h>
#include <intrin.h>

/* Bits of the features' leaf 7, and whether the system saves the registers of `state`. */
static int has(int bits_b, int bits_c, unsigned long long state) {
    int leaf[4];
    __cpuid(leaf, 0);
    if (leaf[0] < 7) return 0;
    __cpuid(leaf, 1);
    if (!(leaf[2] & 1 << 27) || (_xgetbv(0) & state) != state) return 0;
    __cpuidex(leaf, 7, 0);
    return (leaf[1] & bits_b) == bits_b && (leaf[2] & bits_c) == bits_c;
}

int machine_has_avx2(void) { return has(1 << 5, 0, 0x06); }
int machine_has_avx512vnni(void) { return has(1 << 16 | 1 << 30, 1 << 11, 0xe6); }

#else

int machine_has_avx2(void) { return __builtin_cpu_supports("avx2"); }
int machine_has_avx512vnni(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vnni");
}

#endif
#endif

const struct kernels *const *compiled_kernels(void) {
    static const struct kernels *const all[] = {
#ifdef AECODEC_X86
        &avx512vnni_kernels,
        &avx2_kernels,
#endif
#ifdef AECODEC_ARM64
        &neon_kernels,
#endif
        &portable_kernels,
        NULL,
    };
    return all;
}

/* The most int16 products with int32 sums that a core can do: a loop in which nothing is loaded or stored. */

#include <stdint.h>

#if defined(__x86_64__)

#define CHAINS "0,1,2,3,4,5,6,7"

void avx2(int64_t rounds) {
    __asm__ volatile("1:\n.irp i," CHAINS "\n"
                     "vpmaddwd %%ymm14, %%ymm15, %%ymm13\n"
                     "vpaddd %%ymm13, %%ymm\\i, %%ymm\\i\n"
                     ".endr\ndec %0\njnz 1b\n"
                     : "+r"(rounds)
                     :
                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm13");
}

void avx512vnni(int64_t rounds) {
    __asm__ volatile("1:\n.irp i," CHAINS ",8,9,10,11\n" /* two begin in a cycle, and one takes five */
                     "vpdpwssd %%zmm14, %%zmm15, %%zmm\\i\n"
                     ".endr\ndec %0\njnz 1b\n"
                     : "+r"(rounds)
                     :
                     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                       "xmm10", "xmm11");
}

#elif defined(__aarch64__)

void neon(int64_t rounds) {
    __asm__ volatile("1:\n.irp i,0,1,2,3,4,5,6,7,16,17,18,19,20,21,22,23\n"
                     "smlal v\\i\\().4s, v8.4h, v9.4h\n"
                     ".endr\nsubs %0, %0, #1\nb.ne 1b\n"
                     : "+r"(rounds)
                     :
                     : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17", "v18", "v19", "v20", "v21", "v22",
                       "v23", "cc");
}

#endif

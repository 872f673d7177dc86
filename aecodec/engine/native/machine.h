/* The compiler, the processor that this is compiled for, and what the one that runs it can do beyond that. */
#ifndef AECODEC_MACHINE_H
#define AECODEC_MACHINE_H

#if defined(__x86_64__) || defined(_M_X64)
#define AECODEC_X86
int machine_has_avx2(void);
int machine_has_avx512vnni(void);
#elif defined(__aarch64__) || defined(_M_ARM64)
#define AECODEC_ARM64
#endif

/* UNROLL and VECTORISE stand before a loop; the second one needs the option -fopenmp-simd. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 16")
#else
#define UNROLL
#endif
#ifdef __GNUC__
#define VECTORISE _Pragma("omp simd")
#define INLINE static inline __attribute__((always_inline))
#else
#define VECTORISE
#define INLINE static __forceinline
#endif

#endif

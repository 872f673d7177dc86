/* What processor this is compiled for, and what the one that runs it can do beyond that. */
#ifndef AECODEC_MACHINE_H
#define AECODEC_MACHINE_H

#if defined(__x86_64__) || defined(_M_X64)
#define AECODEC_X86
int machine_has_avx2(void);
int machine_has_avx512vnni(void);
#elif defined(__aarch64__) || defined(_M_ARM64)
#define AECODEC_ARM64
#endif

#endif

"""The packages, and the compiled part; without a C compiler it is left out, and NumPy does its work."""

from pathlib import Path

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext

NATIVE = Path("aecodec/engine/native")
MODULES = {"aecodec.engine._native": NATIVE, "aecodec.engine._symbols": NATIVE / "symbols"}


class Build(build_ext):
    """With the options of the compiler at hand."""

    def build_extensions(self) -> None:
        # More than -O2 moves the sums of the matrix products from registers to memory.
        options = [] if self.compiler.compiler_type == "msvc" else ["-std=c11", "-O2", "-fopenmp-simd"]
        for extension in self.extensions:
            extension.extra_compile_args = options
        super().build_extensions()


setup(
    packages=[*find_packages(include=["aecodec", "aecodec.*"]), "aecodec._weights"],
    package_dir={"aecodec._weights": "weights"},
    include_package_data=False,
    package_data={
        "aecodec": ["py.typed"],
        "aecodec._weights": ["*"],
        "aecodec.engine": ["*.pyi"],
        "aecodec.evaluation": ["assets/*"],
        "aecodec.uses": ["assets/*"],
    },
    cmdclass={"build_ext": Build},
    ext_modules=[
        Extension(
            name,
            sorted(str(path) for path in folder.glob("*.c")),
            depends=sorted(str(path) for path in NATIVE.rglob("*.h")),
            include_dirs=[str(NATIVE)],
            define_macros=[("Py_LIMITED_API", "0x030B0000")],
            py_limited_api=True,
            optional=True,
        )
        for name, folder in MODULES.items()
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)

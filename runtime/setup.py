"""Leaves out the modules of the packages that need torch."""

from setuptools import setup
from setuptools.command.build_py import build_py

KEPT = {"__init__", "text_table"}
"""Of `yolact_pl` itself."""
LEFT_OUT = {"torch_engine"}
"""Of the packages inside of it."""


class TorchFree(build_py):
    """Builds the modules that need no torch."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        modules = super().find_package_modules(package, package_dir)
        if package == "yolact_pl":
            return [module for module in modules if module[1] in KEPT]
        return [module for module in modules if module[1] not in LEFT_OUT]


setup(cmdclass={"build_py": TorchFree})

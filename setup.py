"""Build step: compiles proto/ to the package `patrol` (stubs, type stubs). Metadata lives in pyproject.toml."""

from pathlib import Path

from setuptools import Command, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
PROTO = ROOT / "proto"
STUBS = ROOT / "patrol"


def compile_protos() -> None:
    """Write patrol/v1/*_pb2.py, *_pb2.pyi and *_pb2_grpc.py from proto/patrol/v1/*.proto."""
    import google.api
    import grpc_tools
    from grpc_tools import protoc

    sources = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    google_apis = Path(next(iter(google.api.__path__))).parents[1]
    arguments = ["protoc", f"-I{PROTO}", f"-I{well_known}", f"-I{google_apis}"]
    arguments += [f"--python_out={ROOT}", f"--pyi_out={ROOT}", f"--grpc_python_out={ROOT}", *sources]
    status = protoc.main(arguments)
    if status != 0:
        raise SystemExit(f"protoc ended with {status}: mend the .proto file it named above")
    (STUBS / "__init__.py").write_text('"""The public contract, compiled from proto/."""\n')
    (STUBS / "v1" / "__init__.py").write_text('"""patrol.v1, compiled from proto/patrol/v1/."""\n')
    (STUBS / "py.typed").touch()


class BuildWithStubs(build_py):
    """build_py, with the stubs written first; an editable install runs it too."""

    def run(self) -> None:
        """Compile, then collect the packages."""
        compile_protos()
        self.distribution.packages = sorted({*(self.distribution.packages or []), "patrol", "patrol.v1"})
        self.packages = self.distribution.packages
        super().run()


class CompileProtos(Command):
    """`python setup.py protos`: write the stubs again after a change of a .proto file."""

    description = "compile proto/ to patrol/"
    user_options: list[tuple[str, str, str]] = []  # noqa: RUF012 (setuptools wants a list)

    def initialize_options(self) -> None:
        """No options."""

    def finalize_options(self) -> None:
        """No options."""

    def run(self) -> None:
        """Compile."""
        compile_protos()


setup(cmdclass={"build_py": BuildWithStubs, "protos": CompileProtos})

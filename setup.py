"""Build step: compiles proto/ to the package `patrol` (stubs, types, descriptors). Metadata lives in pyproject.toml.

`python setup.py image` writes build/patrol.v1.binpb, which buf lints; with --release it writes proto/patrol.v1.binpb,
which buf compares with: what that holds must not change its meaning any more.

`python setup.py assets` fetches what others wrote for browsers from the npm registry and verifies it.
"""

import base64
import hashlib
import json
import tarfile
import urllib.request
from io import BytesIO
from pathlib import Path

from setuptools import Command, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
PROTO = ROOT / "proto"
STUBS = ROOT / "patrol"


def run_protoc(*outputs: str) -> None:
    """protoc over proto/patrol/v1/*.proto."""
    import google.api
    import grpc_tools
    from grpc_tools import protoc

    sources = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    google_apis = Path(next(iter(google.api.__path__))).parents[1]
    status = protoc.main(["protoc", f"-I{PROTO}", f"-I{well_known}", f"-I{google_apis}", *outputs, *sources])
    if status != 0:
        raise SystemExit(f"protoc ended with {status}: mend the .proto file it named above")


def compile_protos() -> None:
    """Write patrol/v1/*_pb2.py, *_pb2.pyi and *_pb2_grpc.py from proto/patrol/v1/*.proto."""
    run_protoc(f"--python_out={ROOT}", f"--pyi_out={ROOT}", f"--grpc_python_out={ROOT}")
    (STUBS / "__init__.py").write_text('"""The public contract, compiled from proto/."""\n')
    (STUBS / "v1" / "__init__.py").write_text('"""patrol.v1, compiled from proto/patrol/v1/."""\n')
    (STUBS / "py.typed").touch()
    write_image(STUBS / "v1" / "patrol.v1.binpb")


def write_image(path: Path) -> None:
    """Write the protos with all they import, and the comments of our own, for callers that load descriptors."""
    from google.protobuf import descriptor_pb2

    run_protoc(f"--descriptor_set_out={path}", "--include_imports", "--include_source_info")
    image = descriptor_pb2.FileDescriptorSet.FromString(path.read_bytes())
    for file in image.file:
        if not file.name.startswith("patrol/"):
            file.ClearField("source_code_info")
        located = file.source_code_info.location
        commented = [location for location in located if location.leading_comments]
        del located[:]
        located.extend(commented)
    path.write_bytes(image.SerializeToString(deterministic=True))


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


class WriteImage(Command):
    """`python setup.py image`: the protos as one file of descriptors."""

    description = "write build/patrol.v1.binpb, or with --release proto/patrol.v1.binpb"
    user_options = [("release", None, "what later versions are compared with")]  # noqa: RUF012 (as above)
    boolean_options = ["release"]  # noqa: RUF012 (as above)

    def initialize_options(self) -> None:
        """The file of this build."""
        self.release = False

    def finalize_options(self) -> None:
        """Nothing depends on another."""

    def run(self) -> None:
        """Write it; comments are linted, and left out of a release."""
        path = (PROTO if self.release else ROOT / "build") / "patrol.v1.binpb"
        path.parent.mkdir(exist_ok=True)
        comments = [] if self.release else ["--include_source_info"]
        run_protoc(f"--descriptor_set_out={path}", "--include_imports", *comments)


class FetchAssets(Command):
    """`python setup.py assets`: scripts and style sheets of others, as engine/web/console/assets/vendor/packages.json
    pins them: the hash of each package as npm has it, and of each file.
    """

    description = "fetch and verify the browser's libraries of the web console"
    user_options: list[tuple[str, str, str]] = []  # noqa: RUF012 (setuptools wants a list)

    def initialize_options(self) -> None:
        """No options."""

    def finalize_options(self) -> None:
        """No options."""

    def run(self) -> None:
        """Fetch, verify and write every file."""
        folder = ROOT / "engine" / "web" / "console" / "assets" / "vendor"
        for package in json.loads((folder / "packages.json").read_text())["packages"]:
            name, version = package["name"], package["version"]
            url = f"https://registry.npmjs.org/{name}/-/{name}-{version}.tgz"
            with urllib.request.urlopen(url, timeout=60) as reply:
                tarball = reply.read()
            integrity = "sha512-" + base64.b64encode(hashlib.sha512(tarball).digest()).decode()
            if integrity != package["integrity"]:
                raise SystemExit(f"{url} has {integrity}, packages.json wants {package['integrity']}")
            with tarfile.open(fileobj=BytesIO(tarball)) as archive:
                for file in package["files"]:
                    member = archive.extractfile(f"package/{file['from']}")
                    if member is None:
                        raise SystemExit(f"{url} has no file {file['from']}")
                    body = member.read()
                    if hashlib.sha256(body).hexdigest() != file["sha256"]:
                        raise SystemExit(f"{file['from']} of {url} is not the file that packages.json pins")
                    (folder / file["to"]).write_bytes(body)
            self.announce(f"{name} {version}: {len(package['files'])} files verified", level=2)


setup(cmdclass={"build_py": BuildWithStubs, "protos": CompileProtos, "image": WriteImage, "assets": FetchAssets})

"""Write a wheel with the binary of Portway. Uses nothing but the standard library.

usage: python3 build_wheel.py VERSION SUMMARY TAG[,TAG...] BINARY LICENSE-DIRECTORY OUTPUT-DIRECTORY LEVEL

The same input gives the same bytes. Prints the path of the wheel.
"""

import base64
import hashlib
import pathlib
import sys
import zipfile

LICENSES = ["LICENSE-APACHE", "LICENSE-MIT"]
# The first time that the format can store.
TIME = (1980, 1, 1, 0, 0, 0)


def main() -> None:
    version, summary, tags, binary, licenses, output, level = sys.argv[1:]
    binary, licenses = pathlib.Path(binary), pathlib.Path(licenses)
    name = f"portway-{version}"
    info = f"{name}.dist-info"
    files = [
        (f"portway/{path.name}", path.read_bytes(), 0o644)
        for path in sorted((pathlib.Path(__file__).parent / "portway").iterdir())
        if path.suffix in (".py", ".typed")
    ]
    # pip copies files from here into the directory of programs and keeps their mode.
    files.append((f"{name}.data/scripts/{binary.name}", binary.read_bytes(), 0o755))
    for license in LICENSES:
        files.append((f"{info}/licenses/{license}", (licenses / license).read_bytes(), 0o644))
    metadata = [
        "Metadata-Version: 2.4",
        "Name: portway",
        f"Version: {version}",
        f"Summary: {summary}",
        "License-Expression: MIT OR Apache-2.0",
        *(f"License-File: {license}" for license in LICENSES),
        "Requires-Python: >=3.9",
    ]
    files.append((f"{info}/METADATA", lines(metadata), 0o644))
    wheel = [
        "Wheel-Version: 1.0",
        "Generator: portway",
        "Root-Is-Purelib: false",
        *(f"Tag: py3-none-{tag}" for tag in tags.split(",")),
    ]
    files.append((f"{info}/WHEEL", lines(wheel), 0o644))
    # pytest looks for its plugins here.
    files.append((f"{info}/entry_points.txt", lines(["[pytest11]", "portway = portway.pytest"]), 0o644))
    record = [f"{path},sha256={digest(data)},{len(data)}" for path, data, _ in files]
    record.append(f"{info}/RECORD,,")
    files.append((f"{info}/RECORD", lines(record), 0o644))
    target = pathlib.Path(output) / f"{name}-py3-none-{tags.replace(',', '.')}.whl"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=int(level)) as archive:
        for path, data, mode in files:
            entry = zipfile.ZipInfo(path, TIME)
            entry.create_system = 3  # Unix, so that the mode counts.
            entry.external_attr = (0o100000 | mode) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, data)
    print(target)


def lines(values: list) -> bytes:
    return "".join(f"{value}\n" for value in values).encode()


def digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


main()

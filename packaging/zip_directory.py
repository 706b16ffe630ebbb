"""Pack a directory into a zip file. The same files give the same bytes.

usage: python3 zip_directory.py PARENT NAME FILE
"""

import pathlib
import sys
import zipfile

parent, name, target = sys.argv[1:]
with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
    for path in sorted((pathlib.Path(parent) / name).rglob("*")):
        if path.is_file():
            # The first time that the format can store.
            entry = zipfile.ZipInfo(path.relative_to(parent).as_posix(), (1980, 1, 1, 0, 0, 0))
            entry.external_attr = (0o100000 | path.stat().st_mode & 0o777) << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, path.read_bytes())

"""The files that the Slicer build and the Extensions Index read say the same."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
CMAKE = (REPOSITORY / "CMakeLists.txt").read_text(encoding="utf-8")
ENTRY = json.loads((REPOSITORY / "XRADiffSlicer.json").read_text(encoding="utf-8"))
S4EXT = dict(
    line.partition(" ")[::2]
    for line in (REPOSITORY / "XRADiffSlicer.s4ext").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
)
HOMEPAGE = "https://github.com/XRADiffSlicer/SlicerXRADiffSlicer"
REQUIRED = {"$schema", "category", "scm_url"}
OPTIONAL = {
    "scm_revision", "scm_type", "build_dependencies", "dicom_support_rule", "build_subdirectory", "enabled", "tier"
}  # fmt: skip


def cmake(name):
    return re.search(rf'^set\({name} "([^"\n]*)"\)$', CMAKE, re.MULTILINE)[1]


def pngSize(path):
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", data[16:24])


def test_catalogue_entry_follows_its_schema():
    assert set(ENTRY) >= REQUIRED and set(ENTRY) <= REQUIRED | OPTIONAL
    assert ENTRY["$schema"].endswith("slicer-extension-catalog-entry-schema-v1.0.2.json#")
    assert ENTRY["category"] == "Cardiac" and 1 <= ENTRY["tier"] <= 5
    assert "'XA'" in ENTRY["dicom_support_rule"] and "1.2.840.10008.5.1.4.1.1.12.1" in ENTRY["dicom_support_rule"]
    assert ENTRY["scm_url"] == HOMEPAGE + ".git"


def test_project_has_the_name_of_the_entry():
    assert re.search(r"^project\((\w+)\)$", CMAKE, re.MULTILINE)[1] == "XRADiffSlicer"


def test_s4ext_and_cmake_agree():
    assert S4EXT["homepage"] == cmake("EXTENSION_HOMEPAGE") == HOMEPAGE
    assert S4EXT["contributors"] == cmake("EXTENSION_CONTRIBUTORS")
    assert S4EXT["description"] == cmake("EXTENSION_DESCRIPTION")
    assert S4EXT["iconurl"] == cmake("EXTENSION_ICONURL")
    assert S4EXT["screenshoturls"] == cmake("EXTENSION_SCREENSHOTURLS")
    assert S4EXT["depends"] == cmake("EXTENSION_DEPENDS") == " ".join(ENTRY["build_dependencies"])


def test_s4ext_and_catalogue_entry_agree():
    assert S4EXT["category"] == ENTRY["category"]
    assert S4EXT["scmurl"] == ENTRY["scm_url"] and S4EXT["scmrevision"] == ENTRY["scm_revision"]
    assert S4EXT["build_subdirectory"] == ENTRY["build_subdirectory"]


def test_addresses_of_pictures_are_files_of_this_repository():
    raw = "https://raw.githubusercontent.com/XRADiffSlicer/SlicerXRADiffSlicer/main/"
    for address in (cmake("EXTENSION_ICONURL"), *cmake("EXTENSION_SCREENSHOTURLS").split()):
        assert address.startswith(raw)
        assert (REPOSITORY / address.removeprefix(raw)).is_file(), address


def test_icons_are_128_pixels_and_alike():
    icons = [REPOSITORY / "XRADiffSlicer.png", REPOSITORY / "XRADiffSlicer/Resources/Icons/XRADiffSlicer.png"]
    assert [pngSize(icon) for icon in icons] == [(128, 128)] * 2
    assert icons[0].read_bytes() == icons[1].read_bytes()


def test_text_files_have_unix_line_ends():
    for name in ("CMakeLists.txt", "XRADiffSlicer.json", "XRADiffSlicer.s4ext", "LICENSE.txt"):
        data = (REPOSITORY / name).read_bytes()
        assert b"\r" not in data and data.endswith(b"\n")


def test_licence_is_mit():
    text = (REPOSITORY / "LICENSE.txt").read_text(encoding="ascii")
    assert text.startswith("MIT License") and "XRADiffSlicer contributors" in text


def test_requirements_leave_out_torch_and_pin_nothing():
    lines = (REPOSITORY / "XRADiffSlicer/Resources/requirements.txt").read_text(encoding="ascii").splitlines()
    requirements = [line for line in lines if not line.startswith("#")]
    assert {line.partition(">")[0] for line in requirements} == {"odl", "diffusers", "safetensors"}
    for line in requirements:
        assert re.match(r"^\w+>=[\d.]+\s+# \w+", line), line

"""Whatever a file or a person says: an answer or one clear line, never another exception."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from xradiff.datatypes import Acquisition
from xradiff.errors import InputError
from xradiff.geometry import triangulate
from xradiff.geometry.camera import camera_from
from xradiff.views import read_run
from xradiff.views.geometry_json import FACTS, acquisition_from, facts_by_hand, facts_from_mapping, read_geometry_json

# no time limit, the same examples at every run
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
keys = st.sampled_from([*FACTS, "sid", "sod", "spacing", "alpha", "beta", "(0018,1510)", "00181164"]) | st.text(
    max_size=6
)


def answer_or_line(function, *arguments):
    try:
        return function(*arguments)
    except InputError as error:
        assert "\n" not in str(error).replace("\\n", "")
        return None


@given(st.dictionaries(keys, anything, max_size=8))
def test_any_mapping_is_read_or_refused(content):
    facts = answer_or_line(facts_from_mapping, content, "the test")
    if facts is not None:
        answer_or_line(acquisition_from, facts, "the test")


@given(st.text(max_size=60))
def test_any_text_by_hand_is_read_or_refused(text):
    answer_or_line(facts_by_hand, text)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=80) | anything.map(lambda value: json.dumps(value).encode()))
def test_any_file_is_a_geometry_or_refused(tmp_path, content):
    path = tmp_path / "geometry.json"
    path.write_bytes(content)
    answer_or_line(read_geometry_json, path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300))
def test_any_dicom_like_file_is_refused_in_one_line(tmp_path, content):
    path = tmp_path / "run.dcm"
    path.write_bytes(b"\0" * 128 + b"DICM" + content)
    answer_or_line(read_run, path)


angle = st.floats(-90, 90)


@given(angle, angle, angle, st.tuples(*[st.floats(-40, 40)] * 3), st.tuples(*[st.floats(-20, 20)] * 3))
def test_any_camera_sees_a_point_where_its_ray_runs(primary, secondary, roll, point, shift):
    acquisition = Acquisition(primary, secondary, 1050, 750, (0.3, 0.4), roll, (2.0, -1.0), shift)
    camera = camera_from(acquisition, (480, 512))
    across = np.cross(camera.ray_directions(camera.project(point)), np.asarray(point) - camera.source)
    np.testing.assert_allclose(across, 0, atol=1e-7)


@given(angle, st.floats(20, 90), st.tuples(*[st.floats(-40, 40)] * 3))
def test_any_two_views_find_the_point_again(primary, separation, point):
    cameras = [camera_from(Acquisition(a, 10, 1050, 750, 0.3), (512, 512)) for a in (primary, primary - separation)]
    found = triangulate(cameras, [camera.project(point) for camera in cameras])
    np.testing.assert_allclose(found, point, atol=1e-6)

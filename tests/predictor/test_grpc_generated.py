"""The generated Python of the gRPC interfaces is that of the .proto files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

from predictor.outward.generated import externalscaler_pb2, predictor_pb2

ROOT: Final = Path(__file__).parents[2]
PROTO: Final = ROOT / "predictor" / "outward" / "proto"


@pytest.mark.parametrize("module", [predictor_pb2.DESCRIPTOR, externalscaler_pb2.DESCRIPTOR])
def test_the_generated_code_has_what_the_file_says(module: FileDescriptor, tmp_path: Path) -> None:
    out = tmp_path / "set"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={PROTO}"]
    subprocess.run([*command, f"--descriptor_set_out={out}", module.name], check=True)
    [wanted] = FileDescriptorSet.FromString(out.read_bytes()).file
    have = FileDescriptorProto()
    module.CopyToProto(have)
    for message in wanted.message_type:
        _clear_json_names(message)
    assert have == wanted


def _clear_json_names(message: DescriptorProto) -> None:
    for field in message.field:
        field.ClearField("json_name")
    for nested in message.nested_type:
        _clear_json_names(nested)


def test_the_generated_files_are_what_the_script_makes() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "protoc.py"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_scaler_has_the_names_and_numbers_of_keda() -> None:
    """As in kedacore/keda, pkg/scalers/externalscaler/externalscaler.proto."""
    file = externalscaler_pb2.DESCRIPTOR
    fields = {
        f"{message.name}.{field.name}": (field.number, field.type)
        for message in file.message_types_by_name.values()
        for field in message.fields
    }
    text, boolean, integer, double, message = 9, 8, 3, 1, 11
    assert fields == {
        "ScaledObjectRef.name": (1, text),
        "ScaledObjectRef.namespace": (2, text),
        "ScaledObjectRef.scalerMetadata": (3, message),
        "IsActiveResponse.result": (1, boolean),
        "GetMetricSpecResponse.metricSpecs": (1, message),
        "MetricSpec.metricName": (1, text),
        "MetricSpec.targetSize": (2, integer),
        "MetricSpec.targetSizeFloat": (3, double),
        "GetMetricsRequest.scaledObjectRef": (1, message),
        "GetMetricsRequest.metricName": (2, text),
        "GetMetricsResponse.metricValues": (1, message),
        "MetricValue.metricName": (1, text),
        "MetricValue.metricValue": (2, integer),
        "MetricValue.metricValueFloat": (3, double),
    }
    methods = file.services_by_name["ExternalScaler"].methods
    assert file.services_by_name["ExternalScaler"].full_name == "externalscaler.ExternalScaler"
    assert {method.name: method.server_streaming for method in methods} == {
        "IsActive": False,
        "StreamIsActive": True,
        "GetMetricSpec": False,
        "GetMetrics": False,
        "StreamMetricSpec": True,
    }

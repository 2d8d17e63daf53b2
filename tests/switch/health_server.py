"""A server that is asked for its health: `python -m tests.switch.health_server KIND ADDRESS PORT`.

Prints `ready` when it listens; every line on standard input is its status from then on: an HTTP
status for http, SERVING or NOT_SERVING for grpc. tcp takes connections and keeps them.
"""

from __future__ import annotations

import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final


def main(kind: str, address: str, port: int) -> None:
    serve = {"http": _http, "grpc": _grpc, "tcp": _tcp}[kind]
    serve(address, port)


def _ready() -> None:
    print("ready", flush=True)  # noqa: T201 - what the test waits for


def _http(address: str, port: int) -> None:
    status: Final = [200]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status[0] if self.path == "/health?full=1" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET

    with ThreadPoolExecutor(1) as pool:
        server = Server((address, port), Handler)
        pool.submit(server.serve_forever)
        _ready()
        for line in sys.stdin:
            status[0] = int(line)
        server.shutdown()


def _grpc(address: str, port: int) -> None:
    import grpc
    from grpc_health.v1 import health, health_pb2, health_pb2_grpc

    servicer = health.HealthServicer()
    servicer.set("shop", health_pb2.HealthCheckResponse.SERVING)
    server = grpc.server(ThreadPoolExecutor(2))
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    server.add_insecure_port(f"[{address}]:{port}" if ":" in address else f"{address}:{port}")
    server.start()
    _ready()
    for line in sys.stdin:
        servicer.set("shop", health_pb2.HealthCheckResponse.ServingStatus.Value(line.strip()))
    server.stop(0)


def _tcp(address: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listener = socket.create_server((address, port), family=family)
    _ready()
    held = []
    while True:
        held.append(listener.accept()[0])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))

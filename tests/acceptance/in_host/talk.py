"""One keep-alive HTTP connection: `talk.py HOST PORT`; each line on stdin is a GET of that path.

Answers with one line: the container's name, or `failed` and why. Never connects again.
"""

import http.client
import sys


def main() -> None:
    connection = http.client.HTTPConnection(sys.argv[1], int(sys.argv[2]), timeout=5)
    connection.connect()
    connection.auto_open = 0
    for line in sys.stdin:
        try:
            connection.request("GET", line.strip())
            answer = connection.getresponse()
            answer.read()
            said = answer.headers["X-Container"] or "nobody"
        except (OSError, http.client.HTTPException) as error:
            said = f"failed {error!r}"
        sys.stdout.write(f"{said}\n")
        sys.stdout.flush()


main()

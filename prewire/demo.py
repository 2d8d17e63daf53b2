"""placeholder while building"""


def run(containers: int) -> None: ...

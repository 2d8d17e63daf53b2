"""All benchmarks, one after the other."""

from benchmarks import apply_latency

if __name__ == "__main__":
    apply_latency.main()

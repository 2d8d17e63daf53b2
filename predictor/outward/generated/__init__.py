"""Made by scripts/protoc.py out of predictor/outward/proto; not written by hand."""

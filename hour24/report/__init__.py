"""Records in, self-contained pages out. Computes every count, keeps none."""

"""The limits a criterion sets; pure: evidence in, verdict out."""

"""The vendors' APIs as published, answering from the rehearsal's scenario."""

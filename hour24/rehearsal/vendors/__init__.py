"""The vendors' web interfaces, as they publish them, telling the rehearsal's story."""

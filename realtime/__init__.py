"""Time: sound arriving, stages running side by side, pictures leaving, faults."""

"""Sound sources and what carries their samples: microphone, file, ring buffer, resampling."""

"""Networks that steer or judge expressions and identity; never used while a show runs."""

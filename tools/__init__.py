"""Work done before or after a show: training, searching, measuring. One command per file."""

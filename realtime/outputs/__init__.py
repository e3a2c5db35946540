"""Where frames go: window, video file, OSC. One file and one protocol each."""

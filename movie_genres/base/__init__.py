"""What all rooms use: errors, files, options, progress."""

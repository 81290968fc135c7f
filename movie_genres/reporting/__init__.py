"""A site of static files about models and films: pages, a gallery, a page for reviewing; opened from the disk."""

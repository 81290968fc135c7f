"""An engine for tests of jobs, without networks and without what `conftest` imports."""

from movie_genres.scoring.slots import merged, to_score


class RowEngine:
    """Writes shards as `engine.LocalEngine` does; what a film gets is what `row` makes of it.

    Args:
        row: function of an `catalogue.Entry` that returns its `rows.Row`.
    """

    def __init__(self, row):
        self._row = row

    def __call__(self, files, shards, total, tolerance):
        for number, slots in shards:
            yield files.write(number, (line for slot in slots for line in self._lines(slot, files.layout, tolerance)))

    def _lines(self, slot, layout, tolerance):
        return merged([slot], tolerance.watch(map(self._row, to_score([slot]))), layout)

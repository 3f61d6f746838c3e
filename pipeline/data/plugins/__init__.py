'''Loaders of your own: one file with one class, named in params.yaml as `module:ClassName`.

It lies in the folder `plugins/` beside params.yaml, or here. A complete example, `plugins/night_roads.py`::

    from pathlib import Path
    from pipeline.data.raw import RawDataset, RawRow

    class NightRoads:
        """Photographs named <vehicle>_<day|night>_<number>.jpg."""

        def __init__(self, folder: str) -> None:
            self.folder = Path(folder)

        def load(self) -> RawDataset:
            rows = []
            for file in sorted(self.folder.glob("*.jpg")):
                vehicle, light, _ = file.stem.split("_")
                rows.append(RawRow(name=file.name, image=file, label=vehicle, attributes={"light": light}))
            return RawDataset("Night roads", source="own photographs", licence="CC BY 4.0", rows=rows)

and its entry, whose `options` become the class's keyword arguments::

    source: {kind: python, class: "night_roads:NightRoads", options: {folder: /photos/roads}}

Rows may also carry a `split`, a `mask`, and an array instead of a file; see `RawRow`. A row
without split is placed by a seeded stratified split; without attributes groups are of a
cue, where one is found that a model uses.
'''

"""From a source named in params.yaml to one packed dataset: obtain, check, decode, split, group, write."""

import warnings

# Pillow's, one for each file, without its name; what is damaged is noted with it (`pixels.note_files`)
warnings.filterwarnings("ignore", "Corrupt EXIF data|Truncated File Read|Metadata Warning", UserWarning)

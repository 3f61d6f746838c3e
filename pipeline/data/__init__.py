"""From a source named in params.yaml to one packed dataset: obtain, check, decode, split, write."""

import warnings

# Pillow's of EXIF, one for each file, without its name; damage is noted with it (`pixels.note_files`)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.TiffImagePlugin")

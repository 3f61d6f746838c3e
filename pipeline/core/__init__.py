"""Types, errors and settings that flow through every layer. Pure: nothing here touches files."""

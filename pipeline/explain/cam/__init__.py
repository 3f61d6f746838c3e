"""Where a network looks: GradCAM and the checks of it."""

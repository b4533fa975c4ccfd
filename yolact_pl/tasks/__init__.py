"""One readable function a task: the only package that knows Hydra."""

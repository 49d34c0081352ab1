"""The built-in model: `weights` is what samples, `training` what made it, the README its card."""

"""Parts of the modern model: normalised pyramid, decoupled head, fine prototypes."""

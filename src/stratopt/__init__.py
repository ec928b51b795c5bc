"""stratopt."""

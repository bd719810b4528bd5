"""The models the package ships, and the scripts that make and measure them."""

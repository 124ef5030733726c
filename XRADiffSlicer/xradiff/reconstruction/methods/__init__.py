"""One folder per method. Methods never import each other; `registry.py` lists them."""

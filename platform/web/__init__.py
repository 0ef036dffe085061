"""The HTTP side: the API that programs use, and the few pages that explain it. See docs/http-api.md."""

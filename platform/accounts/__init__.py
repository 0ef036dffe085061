"""Who organises: accounts and the API keys with which their programs speak to us."""

"""A CallRequest goes out to a model, a CallReply comes back."""

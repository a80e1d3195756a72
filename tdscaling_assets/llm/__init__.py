"""Models behind one protocol: `ChatModel.complete(request) → reply`. Scripted teacher, litellm client, HTTP server."""

"""Models behind one protocol: `ChatModel.complete(request) → reply`.

protocol.py   the seam                             roles.py      settings → the model of every role
client.py     any litellm model                    cache.py      replies already paid for
teacher.py    the scripted teacher, its words      provider.py   the teacher as a litellm provider
in phrases.py                                      server.py     the teacher over HTTP; wire.py, its answers
endpoint.py   HTTP that counts and misbehaves      misbehaviour.py   what goes wrong on a bad night
text_tools.py   tool calls for models without
workers.py    calls spread over processes          worker.py     such a process, pace.py, its starts, and
                                                   frames.py, what passes between
"""

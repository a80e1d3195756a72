"""Models behind one protocol: `ChatModel.complete(request) → reply`.

  protocol.py      the seams: ChatModel, Attempt, ReplyStore
  roles.py         settings → the model of every role
a model that loses nothing
  patient.py       kept replies, tries with back-off        budget.py    USD left of batch and night
  endpoint.py      what all callers of one endpoint share   circuit.py   pauses while it is down
  limiter.py       who calls next, and when                 rates.py     allowances, rate-limit headers
one call
  client.py        any litellm model                        library.py   litellm, loaded late and kept at home
  text_tools.py    tool calls for models without            prices.py    tokens → USD
  structured.py    JSON answers, sent back to be mended
  workers.py       calls spread over processes; worker.py is one, frames.py what passes, pace.py its starts
the scripted teacher
  teacher.py       a model by rules; mistakes.py, its lapses   phrases.py   its words
  provider.py      as a litellm provider                    server.py    over HTTP; wire.py, its answers
  teacher_endpoint.py  HTTP that counts and misbehaves      misbehaviour.py  what goes wrong on a bad night
"""

"""Mail that leaves: texts, the outbox that survives a crash, SMTP and files.

`message` is one mail, `texts` fills templates in the reader's language, `outbox` keeps mails in the database
from the transaction that wanted them until a server took them, `senders` hands them over.
"""

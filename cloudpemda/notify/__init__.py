"""The only door to people (`people`: mail, Telegram and webhooks by apprise) and to monitors
(`textfile`: Prometheus).

It is told what to say and says it; it judges nothing and reads nothing.
"""

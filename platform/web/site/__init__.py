"""The pages for people: rendered here, in English and French, complete without any script.

`render` fills templates, `i18n` holds the catalogues, `assets` serves style and scripts under a name that
changes with their content, `security` knows who is signed in and lets nobody else post. `routes` puts the
pages together for the application.
"""

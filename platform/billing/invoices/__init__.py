"""Invoices for usage: value-added tax, gapless numbers, documents that never change, credit notes.

`vat` decides what tax is due, `vat_rates` are the rates, `vies` asks whether a VAT number is in force;
`issue` turns postings into documents, `document` draws them as PDF.
"""

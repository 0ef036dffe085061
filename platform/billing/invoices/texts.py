"""The words on invoices, in English and French."""

from __future__ import annotations

TEXTS: dict[str, dict[str, str]] = {
    "en": {
        "invoice": "Invoice",
        "credit_note": "Credit note",
        "number": "Number",
        "date": "Date",
        "period": "Period",
        "to": "–",
        "credits": "Corrects invoice {number} of {date}",
        "bill_to": "Billed to",
        "vat_number": "VAT number",
        "day": "Day",
        "what": "Toll-free minutes",
        "single": "Calls without a session",
        "calls": "Calls",
        "minutes": "Minutes",
        "net": "Net",
        "rate": "VAT",
        "sum_net": "Taxable amount",
        "sum_vat": "VAT {rate} % {country}",
        "total": "Total",
        "reverse_charge": "Reverse charge: the customer owes the value-added tax (Article 196, Directive "
        "2006/112/EC).",
        "outside": "Supply outside the scope of EU value-added tax: the customer is established outside "
        "the European Union.",
        "unregistered": "The seller is not registered for value-added tax; no tax is charged.",
        "rounding": "Amounts are rounded per session. Times are given in the time zone {zone}.",
        "page": "Page {page} of {pages}",
    },
    "fr": {
        "invoice": "Facture",
        "credit_note": "Avoir",
        "number": "Numéro",
        "date": "Date",
        "period": "Période",
        "to": "–",
        "credits": "Rectifie la facture {number} du {date}",
        "bill_to": "Facturé à",
        "vat_number": "N° de TVA",
        "day": "Jour",
        "what": "Minutes en numéro vert",
        "single": "Appels hors session",
        "calls": "Appels",
        "minutes": "Minutes",
        "net": "HT",
        "rate": "TVA",
        "sum_net": "Base imposable",
        "sum_vat": "TVA {rate} % {country}",
        "total": "Total TTC",
        "reverse_charge": "Autoliquidation : la TVA est due par le preneur (article 196 de la directive "
        "2006/112/CE).",
        "outside": "Opération hors du champ de la TVA de l’UE : le client est établi hors de l’Union "
        "européenne.",
        "unregistered": "Le vendeur n’est pas assujetti à la TVA ; aucune taxe n’est facturée.",
        "rounding": "Les montants sont arrondis par session. Les heures sont celles du fuseau {zone}.",
        "page": "Page {page} sur {pages}",
    },
}

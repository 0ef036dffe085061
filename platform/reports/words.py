"""The words of a session's report in each language that it is written in."""

from __future__ import annotations

from collections.abc import Mapping

from reports.errors import NoSuchWordsError

_KEYS = (
    "report", "kind_webinar", "kind_meeting", "session", "length", "participants", "at_once", "average",
    "rating", "people", "name", "mail", "time", "browser", "phone", "country", "from_where", "devices",
    "comments", "computer", "phone_device", "tablet", "other", "unknown", "page", "made", "running", "nobody",
)  # fmt: skip

_TEXTS: Mapping[str, tuple[str, ...]] = {
    "en": (
        "Session report", "Webinar", "Meeting", "Session", "Length", "Participants", "At one time",
        "On average", "Rating", "Who was there", "Name", "Mail", "Present", "Browser", "Telephone", "Country",
        "Where from", "Devices", "Comments", "Computer", "Phone", "Tablet", "Other", "unknown",
        "Page {page} of {pages}", "Made on {when}", "still running", "Nobody was in this session.",
    ),
    "fr": (
        "Rapport de session", "Webinaire", "Réunion", "Session", "Durée", "Participants", "En même temps",
        "En moyenne", "Note", "Qui était là", "Nom", "E-mail", "Présence", "Navigateur", "Téléphone", "Pays",
        "D’où", "Appareils", "Commentaires", "Ordinateur", "Téléphone", "Tablette", "Autre", "inconnu",
        "Page {page} sur {pages}", "Établi le {when}", "en cours", "Personne n’était dans cette session.",
    ),
    "de": (
        "Bericht der Sitzung", "Webinar", "Besprechung", "Sitzung", "Dauer", "Teilnehmende", "Gleichzeitig",
        "Im Schnitt", "Bewertung", "Wer dabei war", "Name", "E-Mail", "Anwesend", "Browser", "Telefon",
        "Land", "Woher", "Geräte", "Kommentare", "Computer", "Telefon", "Tablet", "Andere", "unbekannt",
        "Seite {page} von {pages}", "Erstellt am {when}", "läuft noch", "Niemand war in dieser Sitzung.",
    ),
    "es": (
        "Informe de la sesión", "Webinar", "Reunión", "Sesión", "Duración", "Participantes", "A la vez",
        "De media", "Valoración", "Quién estuvo", "Nombre", "Correo", "Presente", "Navegador", "Teléfono",
        "País", "De dónde", "Dispositivos", "Comentarios", "Ordenador", "Teléfono", "Tableta", "Otro",
        "desconocido", "Página {page} de {pages}", "Creado el {when}", "en curso",
        "Nadie estuvo en esta sesión.",
    ),
    "it": (
        "Rapporto della sessione", "Webinar", "Riunione", "Sessione", "Durata", "Partecipanti",
        "Contemporaneamente", "In media", "Valutazione", "Chi c’era", "Nome", "E-mail", "Presenza", "Browser",
        "Telefono", "Paese", "Da dove", "Dispositivi", "Commenti", "Computer", "Telefono", "Tablet", "Altro",
        "sconosciuto", "Pagina {page} di {pages}", "Creato il {when}", "in corso",
        "Nessuno era in questa sessione.",
    ),
    "nl": (
        "Sessieverslag", "Webinar", "Vergadering", "Sessie", "Duur", "Deelnemers", "Tegelijk", "Gemiddeld",
        "Beoordeling", "Wie er was", "Naam", "E-mail", "Aanwezig", "Browser", "Telefoon", "Land",
        "Waarvandaan", "Apparaten", "Opmerkingen", "Computer", "Telefoon", "Tablet", "Anders", "onbekend",
        "Pagina {page} van {pages}", "Gemaakt op {when}", "loopt nog", "Niemand was in deze sessie.",
    ),
    "pl": (
        "Raport z sesji", "Webinar", "Spotkanie", "Sesja", "Czas trwania", "Uczestnicy", "Jednocześnie",
        "Średnio", "Ocena", "Kto uczestniczył", "Imię i nazwisko", "E-mail", "Obecność", "Przeglądarka",
        "Telefon", "Kraj", "Skąd", "Urządzenia", "Komentarze", "Komputer", "Telefon", "Tablet", "Inne",
        "nieznany", "Strona {page} z {pages}", "Sporządzono {when}", "w toku", "Nikogo nie było w tej sesji.",
    ),
    "pt": (
        "Relatório da sessão", "Webinar", "Reunião", "Sessão", "Duração", "Participantes", "Ao mesmo tempo",
        "Em média", "Avaliação", "Quem esteve presente", "Nome", "E-mail", "Presença", "Navegador",
        "Telefone", "País", "De onde", "Dispositivos", "Comentários", "Computador", "Telefone", "Tablet",
        "Outro", "desconhecido", "Página {page} de {pages}", "Criado em {when}", "em curso",
        "Ninguém esteve nesta sessão.",
    ),
    "ru": (
        "Отчёт о сессии", "Вебинар", "Встреча", "Сессия", "Длительность", "Участники", "Одновременно",
        "В среднем", "Оценка", "Кто участвовал", "Имя", "Почта", "Присутствие", "Браузер", "Телефон",
        "Страна", "Откуда", "Устройства", "Комментарии", "Компьютер", "Телефон", "Планшет", "Другое",
        "неизвестно",
        "Страница {page} из {pages}", "Составлено {when}", "ещё идёт", "В этой сессии никого не было.",
    ),
}  # fmt: skip

LANGUAGES = tuple(_TEXTS)
"""Languages that a report can be asked for in."""


def words_in(language: str) -> Mapping[str, str]:
    """Key → text. Raises NoSuchWordsError."""
    texts = _TEXTS.get(language)
    if texts is None:
        raise NoSuchWordsError(f"reports are written in {', '.join(LANGUAGES)}")
    return dict(zip(_KEYS, texts, strict=True))

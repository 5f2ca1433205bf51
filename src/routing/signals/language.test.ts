// What languages short texts are in: a sentence is enough for most, and where it is not nothing is made up.

import { describe, expect, test } from 'vitest'
import { createLanguageDetector } from './language.ts'

const detect = createLanguageDetector()
/** What rules have unless they say otherwise. */
const USUAL_THRESHOLD = 0.6

describe('a sentence tells', () => {
  test.each([
    ['en', 'My order has not arrived yet'],
    ['en', 'Translate this sentence to German'],
    ['de', 'Meine Bestellung ist noch nicht angekommen'],
    ['de', 'Ich brauche Hilfe bei Mathe'],
    ['fr', "Ma commande n'est pas encore arrivée"],
    ['fr', 'Traduis cette phrase en anglais'],
    ['fr', "J'ai besoin d'aide en maths"],
    ['es', 'Mi pedido todavía no ha llegado'],
    ['es', 'Traduce esta frase al inglés'],
    ['it', 'Il mio ordine non è ancora arrivato'],
    ['it', 'Traduci questa frase in inglese'],
    ['it', 'Dammi tre idee per una colazione sana'],
    ['pt', 'Meu pedido ainda não chegou'],
    ['pt', 'Traduza esta frase para o inglês'],
    ['pt', 'Preciso de ajuda com matemática'],
    ['nl', 'Mijn bestelling is nog niet aangekomen'],
    ['nl', 'Vertaal deze zin naar het Engels'],
    ['nl', 'Ik heb hulp nodig met wiskunde'],
    ['pl', 'Moje zamówienie jeszcze nie dotarło'],
    ['pl', 'Przetłumacz to zdanie na angielski'],
    ['pl', 'Potrzebuję pomocy z matematyką'],
    ['sv', 'Min beställning har inte kommit än'],
    ['sv', 'Översätt den här meningen till engelska'],
    ['tr', 'Siparişim henüz gelmedi'],
    ['tr', 'Bu cümleyi İngilizceye çevir'],
    ['cs', 'Moje objednávka ještě nedorazila'],
    ['cs', 'Přelož tuto větu do angličtiny'],
    ['vi', 'Đơn hàng của tôi vẫn chưa đến'],
    ['id', 'Pesanan saya belum sampai'],
    ['id', 'Terjemahkan kalimat ini ke bahasa Inggris'],
    ['ru', 'Мой заказ ещё не пришёл'],
    ['ru', 'Переведи это предложение на английский'],
    ['ru', 'Мне нужна помощь по математике'],
    ['uk', 'Переклади це речення англійською'],
    ['bg', 'Поръчката ми още не е пристигнала'],
    ['bg', 'Преведи това изречение на английски'],
    ['ar', 'لم يصل طلبي بعد'],
    ['ar', 'ترجم هذه الجملة إلى الإنجليزية'],
    ['fa', 'سفارش من هنوز نرسیده است'],
    ['ur', 'میرا آرڈر ابھی تک نہیں آیا'],
    ['fi', 'Tilaukseni ei ole vielä saapunut'],
    ['ro', 'Comanda mea nu a ajuns încă'],
    ['hu', 'A rendelésem még nem érkezett meg'],
    ['zh', '我的订单还没有到'],
    ['ja', '注文がまだ届いていません'],
    ['ko', '주문이 아직 도착하지 않았어요'],
    ['hi', 'मेरा ऑर्डर अभी तक नहीं आया'],
    ['el', 'Η παραγγελία μου δεν έχει φτάσει ακόμα'],
    ['he', 'ההזמנה שלי עדיין לא הגיעה'],
    ['th', 'คำสั่งซื้อของฉันยังมาไม่ถึง'],
    ['en', 'def add(a, b): return a + b  # what does this do'],
    ['de', 'Schreibe mir ein Gedicht über den Herbst'],
    ['es', '¿Cuál es la capital de Francia?'],
    ['sv', 'Vad är huvudstaden i Frankrike?'],
    ['tr', "Fransa'nın başkenti neresidir?"],
    ['cs', 'Jaké je hlavní město Francie?'],
    ['vi', 'Thủ đô của Pháp là gì?'],
    ['vi', 'Viết một bài thơ về mùa thu'],
    ['id', 'Apa ibu kota Prancis?'],
    ['uk', 'Яка столиця Франції?'],
    ['uk', 'Напиши вірш про осінь'],
    ['bg', 'Коя е столицата на Франция?'],
    ['ar', 'ما هي عاصمة فرنسا؟'],
    ['fa', 'پایتخت فرانسه چیست؟'],
    ['fa', 'شعری درباره پاییز بنویس'],
    ['ur', 'فرانس کا دارالحکومت کیا ہے؟'],
    ['ur', 'خزاں پر ایک نظم لکھیں'],
    ['ja', 'フランスの首都はどこですか?'],
    ['ja', '秋の詩を書いてください'],
    ['zh', '法国的首都是哪里?'],
    ['zh', '写一首关于秋天的诗'],
    ['ko', '프랑스의 수도는 어디입니까?'],
    ['th', 'เมืองหลวงของฝรั่งเศสคืออะไร'],
    ['he', 'מהי בירת צרפת?'],
    ['el', 'Ποια είναι η πρωτεύουσα της Γαλλίας;'],
    ['hi', 'फ्रांस की राजधानी क्या है?'],
    ['bn', 'ফ্রান্সের রাজধানী কী?'],
    ['ta', 'பிரான்சின் தலைநகரம் எது?'],
    ['da', 'Hvad er hovedstaden i Frankrig?'],
    ['no', 'Hva er hovedstaden i Frankrike?'],
    ['fi', 'Mikä on Ranskan pääkaupunki?'],
    ['ro', 'Care este capitala Franței?'],
    ['hu', 'Mi Franciaország fővárosa?'],
  ])('%s: %s', (code, text) => {
    const found = detect(text)
    expect(found?.code).toBe(code)
    expect(found?.confidence).toBeGreaterThanOrEqual(USUAL_THRESHOLD)
  })
})

describe('too little to tell is not taken for another language', () => {
  test.each([
    ['en', 'List three healthy breakfast ideas'],
    ['en', 'Good morning!'],
    ['de', 'Übersetze diesen Satz ins Englische'],
    ['de', 'Nenne drei gesunde Frühstücksideen'],
    ['fr', 'Donne trois idées de petit-déjeuner sain'],
    ['es', 'Dame tres ideas de desayuno saludable'],
    ['es', 'Necesito ayuda con matemáticas'],
    ['uk', 'Моє замовлення ще не прийшло'],
    ['da', 'Min ordre er ikke kommet endnu'],
    ['no', 'Bestillingen min har ikke kommet ennå'],
    ['en', 'SELECT name FROM users WHERE age > 30'],
    ['en', 'hello'],
    ['en', 'refactor function to use async'],
    ['de', 'Guten Tag'],
    ['fr', 'Bonjour'],
    ['es', 'Hola'],
    ['pt', 'Explique a física quântica'],
    ['sv', 'Skriv en dikt om hösten'],
    ['sv', 'Hej, kan du hjälpa mig?'],
    ['ru', 'Привет'],
  ])('%s: %s', (code, text) => {
    const found = detect(text)
    expect([code, null]).toContain(found !== null && found.confidence >= USUAL_THRESHOLD ? found.code : null)
  })
})

test('code between words of a language does not hide it', () => {
  expect(detect('请用 Python 写一个 quicksort function')?.code).toBe('zh')
  expect(detect('Python で quicksort を書いて')?.code).toBe('ja')
})

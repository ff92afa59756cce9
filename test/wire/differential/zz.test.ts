import { compare } from './compare.ts'
import { request } from './talk.ts'
const reg=(u:string,c:string,cseq:number,id:string)=>request('REGISTER','',{to:`<sip:${u}@example.com>`,cseq,callId:id,headers:c===''?'':c.startsWith('Exp')?c:`Contact: ${c}`})
compare('registrar', {file:'registrar.cfg'}, [{title:'x',talk:async({send,take,note})=>{
  let n=0
  for (const [u,c,q,id] of [['u8','<sip:u8@{B}>'],['u9','<sip:u9@{C}>'],['u8','<sip:u8@{B}>;q=9'],['u8','<sip:u8@{C}>;q=9'],['u7','<sip:u8@{C}>;q=9'],
   ['u6','<sip:u6@{B}>',5,'same'],['u6','<sip:u6@{B}>',4,'same'],['u6','<sip:u6@{B}>, <sip:u6@{C}>',4,'same'],['u6','<sip:u6@{C}>',4,'same'],
   ['u6','*\nExpires: 7'],['u6','<sip:u6@{B}>, *'],['u6','*, <sip:u6@{B}>'],['u6','*\nContact: <sip:u6@{B}>'],['u6','<sip:u6@{B}>\nContact: *'],['u6','<sip:u6@{B}>\nContact: *\nExpires: 0'],['u6','<sip:u6@{B}>;expires=x'],['u6','<sip:u6@{B}>;expires='],['u6','<sip:u6@{B}>;q=1.5'],['u6','<sip:u6@{B}>;q='],['u6','<sip:u6@{B}>;q=0.1234'],['u6','<sip:u6@{B}>;q=1.000'],['u6','<sip:u6@{B}>;q=0'],['u6','<sip:u6@{B}>;q=.5'],['u6','<sip:u6@{B}>;q=abc'],
   ['u6','sip:u6@{B}'],['u6','<sip:u6@{C}>;q=0.3'],['u6','<sip:u6@{C}>'],['u6','<tel:+123>'],['u1','<tel:+123>'],['u1','<mailto:x@y>'],['u6','bogus'],['u6',''],['u3','<sip:u6@>'],['','<sip:a@b>'],
   ['u5','<sip:u5@{B}>;q=0.1, <sip:u5@{C}>;q=0.9'],['u5','<sip:u5@{B}>;expires=0, <sip:u5@{C}>;expires=0'],
   ['u4','<sip:u4@'+'x'.repeat(600)+'>'],
  ] as const) {
  note(`=== ${u} ${c}`); send('A',reg(u,c,q??1,id??`r-${n++}`)); await take('A')}
  }}])
